#!/bin/sh
# Customers of a shop by recency, frequency and money: kinds, the money of each, and who to write to.
# sh customers.sh SAMPLE_DATA; writes to the folder that it is run in.
set -eu
data=$1/cdnow_customers.csv

# Who ordered once is a kind of its own; the others are clustered on logarithms.
awk -F, 'NR == 1 || $2 > 1' "$data" > regulars.csv
gmmcli -q fit regulars.csv -x orders -k 5 --transform log1p=recency_days,log=spend,log=items -o customers.json
gmmcli predict customers.json regulars.csv -o segments.csv

# Customers, money, and days since the last order of each kind.
awk -F, 'NR > 1 { n[$5]++; money[$5] += $3; days[$5] += $1; all += $3; rows++ }
  END { for (k = 0; k < 5; k++)
    printf "kind %d: %.0f %% of the customers, %.0f %% of the money, %.0f days\n",
      k, 100 * n[k] / rows, 100 * money[k] / all, days[k] / n[k] }' segments.csv

# The ten to write to first: they spent much, and have been away for a hundred days or more.
awk -F, 'NR > 1 && $1 >= 100 { print $3 "," $1 "," $5 }' segments.csv | sort -t, -k1gr | sed 10q > write-to.csv
gmmcli plot customers.json regulars.csv -c recency_days,spend -o customers.svg
