"""What data there is, whose it is and on what terms."""
