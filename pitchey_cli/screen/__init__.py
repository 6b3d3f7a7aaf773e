"""The full screen of `pitchey top`. Nothing else imports it: Textual takes a quarter of a second."""
