#!/bin/sh
# Regimes of the daily returns of an index, and the value at risk that they mean.
# sh risk.sh SAMPLE_DATA; writes to the folder that it is run in.
set -eu
data=$1/sp500_returns.csv

gmmcli -q select-k "$data" -c return --k 1:5 --covariance full -o risk.json > choice.txt
gmmcli inspect risk.json --json | python3 -c '
import json, sys
model = json.load(sys.stdin)
for k, (weight, mean, variance) in enumerate(zip(model["weights"], model["means"], model["covariances"])):
    print(f"regime {k}: {100 * weight:.0f} % of the days, {mean[0]:+.2f} % a day, volatility {variance[0][0] ** 0.5:.2f} %")'

# The years in which the wildest regime had most days.
gmmcli predict risk.json "$data" | awk -F, -v wild=2 '
  NR > 1 { year = substr($1, 1, 4); n[year]++; days[year] += $4 == wild }
  END { for (year in n) printf "%s %.0f\n", year, 100 * days[year] / n[year] }' | sort -k2,2gr -k1,1 > wild-years.txt
sed '3q' wild-years.txt | awk '{ print "wildest:", $1, $2 " % of the days" }'

# Value at risk: the loss of the worst day in 20, 100, 200, of the mixture, of one normal
# distribution, and of the days themselves.
gmmcli sample risk.json -n 1000000 --seed 1 | tail -n +2 | sort -g > drawn.txt
tail -n +2 "$data" | cut -d, -f2 | sort -g > days.txt
for share in 0.05 0.01 0.005; do
  of_mixture=$(awk -v share=$share '{ v[NR] = $1 } END { print -v[int(NR * share)] }' drawn.txt)
  of_days=$(awk -v share=$share '{ v[NR] = $1 } END { print -v[int(NR * share)] }' days.txt)
  of_normal=$(awk -v share=$share '{ n++; s += $1; q += $1 * $1 }
    END { z = share == 0.05 ? 1.645 : share == 0.01 ? 2.326 : 2.576; m = s / n; print z * sqrt(q / n - m * m) - m }' days.txt)
  printf 'value at risk, %s of the days: mixture %.2f %%, normal %.2f %%, seen %.2f %%\n' $share "$of_mixture" "$of_normal" "$of_days"
done
gmmcli plot risk.json "$data" --kind density -o risk.svg
