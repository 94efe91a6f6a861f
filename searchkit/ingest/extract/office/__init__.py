"""Readers of office documents: OOXML, OpenDocument, RTF."""
