"""Distillation: a smaller student learns its teacher's vectors on one's own corpus, by fewer layers, a new head, and training"""
