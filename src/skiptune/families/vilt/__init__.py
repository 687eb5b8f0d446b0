"""ViLT (Kim et al., 2021)."""
