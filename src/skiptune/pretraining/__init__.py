"""Make the embedded models. Used by the command ``skiptune pretrain``; not a part of the library."""
