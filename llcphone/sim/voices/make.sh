#!/bin/sh
# Speaks the texts of __init__.py into <name>.ulaw beside this file: those named, else those that are missing.
# Needs espeak-ng, sox and python3.
# Telephone band, -16 dBFS RMS (peaks limited), silence before and after cut off, raw 8 kHz µ-law.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak() { # name voice pitch words...
    name=$1 voice=$2 pitch=$3 words=$4
    espeak-ng -v "$voice" -p "$pitch" -s 150 -w "$work/spoken.wav" "$words"
    trim="silence 1 0.01 -48d reverse silence 1 0.01 -48d reverse"
    sox "$work/spoken.wav" -r 8000 -c 1 -b 16 "$work/band.wav" gain -3 sinc 300-3400 norm -3 $trim
    level=$(sox "$work/band.wav" -n stats 2>&1 | awk '/RMS lev dB/ {print $4}')
    gain=$(awk -v level="$level" 'BEGIN {printf "%.2f", -13.5 - level}') # the limiter takes 2.5 dB back
    sox -D "$work/band.wav" -e u-law -t raw "$name.ulaw" gain -l "$gain"
}

table=$(printf '\t')
python3 - <<'PY' > "$work/texts"
namespace = {"__name__": "voices"}
exec(open("__init__.py").read(), namespace)
for kind in ("CALLER", "AGENT"):
    for name, words in namespace[kind].items():
        print(kind, name, words, sep="\t")
PY
while IFS="$table" read -r kind name words; do
    case " $* " in
        "  ") [ ! -e "$name.ulaw" ] || continue ;;
        *" $name "*) ;;
        *) continue ;;
    esac
    case $kind in
        CALLER) speak "$name" en-us 40 "$words" ;;
        AGENT) speak "$name" en-gb+f3 55 "$words" ;;
    esac
done < "$work/texts"
