"""The backings of the profile aws, each beside the local one of the same name."""
