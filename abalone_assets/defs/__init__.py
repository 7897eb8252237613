"""The asset graph: a folder for each stage of the lineage; declarations only."""
