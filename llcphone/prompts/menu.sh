#!/bin/sh
# Speaks the words of the AI IVR's stored menu into menu_<what>.ulaw beside this file. Needs espeak-ng and sox.
# Made as the simulators' voices are (llcphone/sim/voices/make.sh): telephone band, raw 8 kHz µ-law.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak() { # name words...
    espeak-ng -v en-gb+f3 -p 55 -s 150 -w "$work/spoken.wav" "$2"
    trim="silence 1 0.01 -48d reverse silence 1 0.01 -48d reverse"
    sox "$work/spoken.wav" -r 8000 -c 1 -b 16 "$work/band.wav" gain -3 sinc 300-3400 norm -3 $trim pad 0 0.12
    level=$(sox "$work/band.wav" -n stats 2>&1 | awk '/RMS lev dB/ {print $4}')
    gain=$(awk -v level="$level" 'BEGIN {printf "%.2f", -13.5 - level}')
    sox -D "$work/band.wav" -e u-law -t raw "menu_$1.ulaw" gain -l "$gain"
}

for name in sales support billing scheduling; do speak "$name" "For $name,"; done
speak voicemail "To leave a message,"
key=0
for word in zero one two three four five six seven eight nine; do
    speak "press_$key" "press $word."
    key=$((key + 1))
done
