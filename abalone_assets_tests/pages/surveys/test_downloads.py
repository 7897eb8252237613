"""The names that downloads are kept under."""

from __future__ import annotations

from email.message import Message

import pytest

from abalone_assets.pages.surveys.downloads import attachment, streamed_attachment


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("crew 7.csv", "crew 7.csv"),
        ("Muschelzählung.csv", "Muschelz_hlung.csv"),
        ('a"b\\c/d%41é\r\n.csv', "a_b_c_d_41___.csv"),
    ],
)
def test_a_download_has_its_name_and_a_plain_one_for_programs_that_know_no_other(
    name: str, plain: str
) -> None:
    for response in (attachment(b"", name), streamed_attachment(iter([b""]), name)):
        told = response.headers["Content-Disposition"]
        without_its_name, _, _ = told.partition("; filename*=")
        assert without_its_name == f'attachment; filename="{plain}"'
        parsed = Message()
        parsed["Content-Disposition"] = told.replace(f' filename="{plain}";', "")
        assert parsed.get_filename() == name
