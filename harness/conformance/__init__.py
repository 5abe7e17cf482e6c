"""The conformance kit: does a method keep what the contract of `methods/base.py` promises?"""
