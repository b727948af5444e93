"""Rough build times for the first build of all: three sizes by name, until history knows better.

Measured on one Gentoo machine, taken as one of 8 cores: median and largest of its 832 merges. The other two are the
largest hundredth and the largest fortieth of the curve between them on which the top tenth has 80 % of all time. Which
package is in which is an order of magnitude, no measurement.
"""

from __future__ import annotations

USUAL = 43.0
"""Median of all merges there: seconds on 8 cores."""

_LARGEST = 28_563.0
_HUNDREDTH = 5_400.0
_FORTIETH = 1_000.0

SECONDS = {
    "dev-qt/qtwebengine": _LARGEST,
    "www-client/chromium": _LARGEST,
    "app-office/libreoffice": _HUNDREDTH,
    "dev-lang/ghc": _HUNDREDTH,
    "dev-lang/rust": _HUNDREDTH,
    "llvm-core/clang": _HUNDREDTH,
    "llvm-core/llvm": _HUNDREDTH,
    "mail-client/thunderbird": _HUNDREDTH,
    "net-libs/nodejs": _HUNDREDTH,
    "net-libs/webkit-gtk": _HUNDREDTH,
    "sys-devel/clang": _HUNDREDTH,
    "sys-devel/gcc": _HUNDREDTH,
    "sys-devel/llvm": _HUNDREDTH,
    "www-client/firefox": _HUNDREDTH,
    "dev-build/cmake": _FORTIETH,
    "dev-db/mariadb": _FORTIETH,
    "dev-db/mysql": _FORTIETH,
    "dev-libs/boost": _FORTIETH,
    "dev-qt/qtbase": _FORTIETH,
    "dev-qt/qtdeclarative": _FORTIETH,
    "media-libs/mesa": _FORTIETH,
    "net-fs/samba": _FORTIETH,
    "sci-libs/vtk": _FORTIETH,
    "sys-devel/binutils": _FORTIETH,
    "sys-libs/glibc": _FORTIETH,
}
"""Package -> seconds on 8 cores."""
