"""Word vectors distilled from a transformer: small enough for a repository, for pipelines that
read no transformer.
"""
