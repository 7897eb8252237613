import pytest

from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.support.inbox import mailbox, webhook

pytestmark = pytest.mark.usefixtures("home")
UNKNOWN = "nothing://crew:hunter2@example.com"


def test_sends_everybody_a_test_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with mailbox() as box, webhook() as hook:
        monkeypatch.setenv("ABALONE_NOTIFY", f"{box.url} {hook.url}")
        done = abalone("notify")
    assert done.exit_code == 0
    assert box.subjects == ["abalone: a test"]
    assert hook.posted[0]["title"] == "abalone: a test"
    assert done.output.splitlines() == [
        "mailto://… took a test message.",
        "json://… took a test message.",
    ]


def test_who_cannot_be_told_is_named_after_the_others_were_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with webhook() as hook:
        monkeypatch.setenv("ABALONE_NOTIFY", f"json://127.0.0.1:9/ {hook.url}")
        done = abalone("notify")
    assert done.exit_code == 1
    assert len(hook.posted) == 1
    assert "json://… did not take the message" in done.output


@pytest.mark.parametrize(
    ("names", "said"),
    [("", "ABALONE_NOTIFY names nobody: set it"), (UNKNOWN, "is no URL that Apprise knows")],
)
def test_says_what_is_wrong_with_the_setting(
    monkeypatch: pytest.MonkeyPatch, names: str, said: str
) -> None:
    monkeypatch.setenv("ABALONE_NOTIFY", names)
    done = abalone("notify")
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert "hunter2" not in done.output


def test_the_doctor_looks_at_who_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def finding() -> dict[str, str]:
        found = {each["subject"]: each for each in abalone_json("doctor")["findings"]}
        alerts: dict[str, str] = found.get("alerts", {})
        return alerts

    assert finding() == {}
    monkeypatch.setenv("ABALONE_NOTIFY", "mailtos://crew:hunter2@example.com")
    assert (finding()["outcome"], finding()["found"]) == ("ok", "mailtos://…")
