"""``python -m abalone_assets.cli``: the same as ``abalone``."""

from abalone_assets.cli import main

main(prog_name="abalone")
