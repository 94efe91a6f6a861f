"""A query becomes hits: lexical and dense candidates, fused by their scores, shown with the reason."""
