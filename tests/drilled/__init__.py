"""`make drill`: every rule provoked, and with it every panel that is empty while all is well."""
