#!/bin/bash
# wrk.sh TRANSPORT ADDRESS SOCKET FOLDER: see matrix.py.
exec wrk --threads 1 --connections 100 --duration 1s --timeout 10s \
  --script "$(dirname "$0")/wrk.lua" "http://$2/" "$4"
