"""What people open in a browser: pages that the endpoint's server shows beside the endpoint."""
