#!/bin/sh
# Four steps on the wine table, each command shown before it runs. Usage: demo.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
out=$1
mkdir -p "$out"

say() { printf '\n# %s\n' "$@"; }
show() {
    printf '$ %s\n' "$1"
    sh -c "$1"
}

columns='-c alcohol,flavanoids,color_intensity,proline'

say 'How many clusters, and of what shape? The lowest BIC tells.'
show "gmmcli select-k sample_data/wine.csv $columns --k 1:5 --covariance full,diag"

say 'Fit that mixture and save it. Each start tells how it ended.'
show "gmmcli fit sample_data/wine.csv $columns -k 3 -o $out/wine.json"

say 'Which cluster is each wine in, and how surely? The rows come back with two columns more.'
show "gmmcli predict $out/wine.json sample_data/wine.csv | cut -d, -f1,7,10,13- | head -5"

say 'The fit did not see the cultivar. How well do the clusters agree with it?'
show "gmmcli predict $out/wine.json sample_data/wine.csv -o $out/wine.csv"
show "cut -d, -f14,15 $out/wine.csv | tail -n +2 | sort | uniq -c"

say 'How well does the model explain the rows, and how many are unlike all others?'
show "gmmcli score $out/wine.json sample_data/wine.csv --outliers 0.02"

say "Left for you: $out/wine.json (the model) and $out/wine.csv (the rows with their clusters)."
