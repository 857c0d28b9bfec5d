#!/bin/sh
# What is unlike the normal? A mixture of benign cells alone, and what it makes of others.
# sh anomalies.sh SAMPLE_DATA; writes to the folder that it is run in.
set -eu
data=$1/breast_cells.csv
columns=radius,texture,compactness,concavity,concave_points

# Every second benign sample is the normal; the others are to be judged, with all malignant ones.
awk -F, 'NR == 1 || ($11 == "benign" && NR % 2)' "$data" > normal.csv
awk -F, 'NR == 1 || $11 == "malignant" || NR % 2 == 0' "$data" > new.csv
gmmcli -q fit normal.csv -c $columns -k 1 --transform auto -o normal.json

for share in 0.01 0.05 0.1; do
  gmmcli predict normal.json new.csv --outliers $share | awk -F, -v share=$share '
    NR > 1 { n[$11, $NF]++ }
    END { hit = n["malignant", 1]; wrong = n["benign", 1]
      printf "threshold %s: precision %.3f, recall %.3f, false alarms %.3f\n", share,
        hit / (hit + wrong), hit / (hit + n["malignant", 0]), wrong / (wrong + n["benign", 0]) }'
done

# Why the first of them are odd.
gmmcli predict normal.json new.csv --outliers 0.01 --explain | awk -F, '$(NF - 1) == 1 { print $11 "," $NF }' > reasons.csv
gmmcli plot normal.json new.csv -c concavity,texture -o anomalies.svg
