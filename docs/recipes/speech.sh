#!/bin/sh
# Which recording is a piece of speech from? A mixture for each recording, the likeliest wins.
# sh speech.sh SAMPLE_DATA; writes to the folder that it is run in.
set -eu
data=$1/speech_mfcc.csv

# Ten frames (a tenth of a second) to learn, ten to be told, and so on.
awk -F, 'NR == 1 || int(($2 - 1) / 10) % 2 == 0' "$data" > train.csv
awk -F, 'NR == 1 || int(($2 - 1) / 10) % 2 == 1' "$data" > test.csv

tail -n +2 "$data" | cut -d, -f1 | sort -u > names.txt
while read -r name; do
  awk -F, -v name="$name" 'NR == 1 || $1 == name' train.csv |
    gmmcli -q fit -x frame -k 3 --covariance diag -o "$name.json"
  gmmcli score --per-row --only "$name.json" test.csv | tail -n +2 > "$name.scores"
done < names.txt

# The log densities of a piece add up over its frames.
tail -n +2 test.csv | cut -d, -f1,2 > truth.csv
paste -d, truth.csv $(sed 's/$/.scores/' names.txt) | awk -F, '
  BEGIN { while ((getline line < "names.txt") > 0) name[++count] = line }
  { piece = $1 "," int(($2 - 1) / 10); of[piece] = $1; top = 1
    for (k = 1; k <= count; k++) { sum[piece, k] += $(k + 2); if ($(k + 2) > $(top + 2)) top = k }
    frames++; right += name[top] == $1 }
  END { for (piece in of) { top = 1
      for (k = 2; k <= count; k++) if (sum[piece, k] > sum[piece, top]) top = k
      pieces++; told += name[top] == of[piece] }
    printf "right: %.1f %% of %d frames, %.1f %% of %d pieces; by chance %.1f %%\n",
      100 * right / frames, frames, 100 * told / pieces, pieces, 100 / count }'
gmmcli plot three_plus_five.json train.csv -c c1,c2 -o speech.svg
