#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# Shows that check_quotes.sh finds what it is there for: a small tree that is right, and one change to
# it at a time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# Makes the tree that is right.
make_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/docs" "$tree/examples"
    cat >"$tree/examples/a.cpp" <<'END'
// SPDX-License-Identifier: BSL-1.0
int main() {
    // [answer]
    int answer = 42;

    // [inner]
    return answer - 42;
    // [/inner]
    // [/answer]
}
END
    cat >"$tree/README.md" <<'END'
# A title, with `code`

<!-- quote: examples/a.cpp -->
```cpp
int main() {
    // [answer]
    int answer = 42;

    // [inner]
    return answer - 42;
    // [/inner]
    // [/answer]
}
```

[a page](docs/page.md#the-heading), [this one](#a-title-with-code), [elsewhere](https://example.org/x)
END
    cat >"$tree/docs/page.md" <<'END'
# The heading

<!-- quote: examples/a.cpp [answer] -->
```cpp
int answer = 42;

return answer - 42;
```

<!-- quote: examples/a.cpp [inner] -->
```cpp
return answer - 42;
```
END
}

# expect WHAT SENTENCE: the tree as it is now has to fail with that sentence.
expect() {
    local out status=0
    out=$("$here/check_quotes.sh" "$tree" 2>&1) || status=$?
    if ((status == 0)) || ! grep -qF -- "$2" <<<"$out"; then
        echo "not found: $1 (exit $status)"
        echo "$out"
        failures=$((failures + 1))
    fi
}

# change FILE FROM TO: in the tree that is right.
change() {
    make_tree
    local text
    text=$(<"$tree/$1")
    [[ $text == *"$2"* ]] || { echo "self_check: $1 does not hold $2"; exit 1; }
    printf '%s\n' "${text//"$2"/"$3"}" >"$tree/$1"
}

make_tree
"$here/check_quotes.sh" "$tree" || { echo "the tree that is right fails"; exit 1; }

change examples/a.cpp "int answer = 42;" "int answer = 43;"
expect "a file that changed" "not what stands in examples/a.cpp"
change docs/page.md "int answer = 42;" "int answer = 43;"
expect "a page that changed" "docs/page.md:4: not what stands in examples/a.cpp"
change README.md "int main() {" "int main()  {"
expect "a whole file that changed" "README.md:4: not what stands in examples/a.cpp"
change examples/a.cpp "// [/inner]" "// [/outer]"
expect "a region without an end" "has no region [inner]"
change docs/page.md "[inner]" "[other]"
expect "a region that is not there" "has no region [other]"
expect "a region that nobody quotes" "examples/a.cpp [inner]: nobody quotes it"
change docs/page.md "examples/a.cpp [inner]" "examples/b.cpp [inner]"
expect "a file that is not there" "examples/b.cpp is not there"
change docs/page.md "<!-- quote: examples/a.cpp [inner] -->" ""
expect "C++ that nobody compiles" "C++ that is not quoted"
change README.md "docs/page.md#" "docs/pages.md#"
expect "a link to nowhere" "the link docs/pages.md#the-heading leads nowhere"
change README.md "#the-heading" "#a-heading"
expect "an anchor to nowhere" "leads to a heading that is not there"

change examples/a.cpp "int answer = 42;" "int answer = 43;  // longer"
before=$(<"$tree/docs/page.md")
"$here/check_quotes.sh" --update "$tree" >/dev/null
if ! "$here/check_quotes.sh" "$tree" >/dev/null || [[ $(<"$tree/docs/page.md") == "$before" ]]; then
    echo "--update does not put quotes right"
    failures=$((failures + 1))
fi

echo "self_check: $failures failures"
((failures == 0))
