"""Text to token ids: templates, wordings, encoded splits and packed batches."""
