import os
import pathlib
import subprocess
import sys
import time

if os.environ["VERSION"] == "broken":
    sys.exit("bad minute in line 2")
rows = [
    line.split(maxsplit=1)
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines()
    if not line.startswith("#")
]
while True:
    for seconds, command in rows:
        time.sleep(float(seconds))
        subprocess.run(command, shell=True, check=False)
