#!/bin/sh
# The pixels of a photograph in five colours: pixels in, a picture out, through a pipe.
# sh image.sh SAMPLE_DATA; writes to the folder that it is run in.
set -eu
pixels=$1/china_pixels.csv
width=107

gmmcli -q fit "$pixels" -k 5 --restarts 20 -o image.json
gmmcli inspect image.json --json |
  python3 -c 'import json, sys; print(*(",".join(f"{x:.0f}" for x in m) for m in json.load(sys.stdin)["means"]), sep="\n")' > colours.csv

# Each pixel in the mean colour of its cluster, runs of one colour as one stroke.
gmmcli predict --only image.json "$pixels" | awk -F, -v width=$width '
  BEGIN { while ((getline line < "colours.csv") > 0) colour[count++] = line
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " width " 72\" width=\"428\" height=\"288\">" }
  function draw() { if (run) printf "<path d=\"M%d %.1fh%d\" stroke=\"rgb(%s)\"/>\n", start, y + 0.5, run, colour[now] }
  NR > 1 { x = (NR - 2) % width; if (x == 0 || $1 != now) { draw(); start = x; now = $1; run = 0; y = int((NR - 2) / width) } run++ }
  END { draw(); print "</svg>" }' > segmented.svg

# How much of the squared distance to the mean colour the five colours explain.
gmmcli predict image.json "$pixels" | awk -F, '
  BEGIN { count = 0; while ((getline line < "colours.csv") > 0) { split(line, part, ","); for (j = 1; j <= 3; j++) c[count, j] = part[j]; count++ } }
  NR > 1 { n++; for (j = 1; j <= 3; j++) { s[j] += $j; q[j] += $j * $j; within += ($j - c[$4, j]) ^ 2 } }
  END { for (j = 1; j <= 3; j++) total += q[j] - s[j] * s[j] / n
    printf "five colours explain %.1f %% of the variance\n", 100 * (1 - within / total) }'
