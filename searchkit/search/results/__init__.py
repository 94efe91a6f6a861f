"""From ranked passages to what is shown of them."""
