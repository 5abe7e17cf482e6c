"""The embedded world: a closed grammar of requests, attacks, facts and replies, made for this project.

Its texts are templated and teach nothing: intent lies in the combination of words, never in a word, so that the same
verbs, things, owners and circumstances occur on the harmful and on the benign side.
"""
