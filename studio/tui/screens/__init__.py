"""The screens: the studio itself, and its larger dialogs."""
