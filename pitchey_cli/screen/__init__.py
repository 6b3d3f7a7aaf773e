"""The full screen of `pitchey top`. Nothing else imports it: Textual takes half a second."""
