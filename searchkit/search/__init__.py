"""Turns a query into hits: lexical and dense candidates, fused by their scores, shown with the reason."""
