#!/bin/sh
# Speaks words.tsv (language, name, words) into <language>/<name>.ulaw beside this file; with arguments, those
# languages only. Needs espeak-ng and sox. Telephone band, -16 dBFS RMS (peaks limited), raw 8 kHz µ-law.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak() { # language name words...
    case $1 in en) voice=en-gb ;; pt) voice=pt-br ;; *) voice=$1 ;; esac
    case $2 in menu_*) pad="pad 0 0.12" ;; *) pad= ;; esac # the words of the menu follow each other
    espeak-ng -v "$voice+f3" -p 55 -s 150 -w "$work/spoken.wav" "$3"
    trim="silence 1 0.01 -48d reverse silence 1 0.01 -48d reverse"
    sox -D "$work/spoken.wav" -r 8000 -c 1 -b 16 "$work/band.wav" gain -3 sinc 300-3400 norm -3 $trim $pad
    level=$(sox "$work/band.wav" -n stats 2>&1 | awk '/RMS lev dB/ {print $4}')
    gain=$(awk -v level="$level" 'BEGIN {printf "%.2f", -13.5 - level}') # the limiter takes 2.5 dB back
    mkdir -p "$1"
    sox -D "$work/band.wav" -e u-law -t raw "$1/$2.ulaw" gain -l "$gain"
}

wanted=" ${*:-en es fr de pt} "
tab=$(printf '\t')
while IFS="$tab" read -r language name words; do
    case $wanted in *" $language "*) speak "$language" "$name" "$words" ;; esac
done < words.tsv
