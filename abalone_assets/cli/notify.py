"""``abalone notify``: whether those who are to be told can be."""

from __future__ import annotations

import click

from abalone_assets.cli.output import console, example


@click.command(epilog=example("abalone notify"))
def notify() -> None:
    """Send a test message to everybody whom ABALONE_NOTIFY names.

    Such as mailtos://user:password@example.com: https://appriseit.com lists what there is.

    What they are told of otherwise, and when, says the sensor `alert_sensor`. Exits with 1 unless
    all of them took the message.
    """
    from abalone_assets.alerts.recipients import AlertError, recipients_of
    from abalone_assets.settings.platform import load_settings

    recipients = recipients_of(load_settings().notify.get_secret_value())
    if not recipients:
        raise AlertError(
            "ABALONE_NOTIFY names nobody: set it to URLs such as "
            "mailtos://user:password@example.com (https://appriseit.com), separated by blanks"
        )
    out, problems = console(), []
    for recipient in recipients:
        try:
            with console(stderr=True).status(f"Sending to {recipient.name} …"):
                recipient.send("abalone: a test", "Alerts of the abalone platform come here.")
        except AlertError as error:
            problems.append(str(error))
        else:
            out.print(f"{recipient.name} took a test message.")
    if problems:
        raise AlertError("; ".join(problems))
