"""Whose commits are followed: those that somebody signed whom this host trusts."""

from __future__ import annotations

from reconciler.model.gate import SignatureAnswer
from reconciler.ports import Signatures


class SignedCommits:
    """world.Trust by signatures. For one pass: what was said of a commit is remembered, and keys may change."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures
        self._answers: dict[str, SignatureAnswer] = {}

    def obstacle(self, sha: str, base: str) -> str:
        for commit in self._signatures.required(sha, base):
            answer = self._answer(commit)
            if not answer.good:
                which = "" if commit == sha else f"{commit[:7]}, which it brings: "
                return f"{sha[:7]} is not trusted: {which}{answer.trouble}"
        return ""

    def _answer(self, commit: str) -> SignatureAnswer:
        if commit not in self._answers:
            self._answers[commit] = self._signatures.answer(commit)
        return self._answers[commit]
