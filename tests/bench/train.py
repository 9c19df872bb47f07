#!/usr/bin/python3
"""Runs the scenarios of bench.py over an instrumented program, for script/profile.

    train.py PROGRAM        LLVM_PROFILE_FILE says where its records go
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import types

import bench


def end_in_order(process):
    """Records are written at exit: nobody may be killed."""
    process.terminate()
    deadline = time.monotonic() + 60
    while bench.session_pids(process.pid) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.1)
    process.wait(1)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    options = types.SimpleNamespace(build=bench.ROOT / "build/release", seconds=3, idle=100)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-train-"))
    trained = bench.Bench(options, folder)
    proxy = next(p for p in bench.known_proxies(program) if p.name == "sallyport")
    # The program clears its environment but for what it is told to keep.
    proxy.template = folder / "sallyport.conf.in"
    try:
        trained.prepare()
        proxy.template.write_text("env LLVM_PROFILE_FILE;\n" +
                                  (bench.HERE / "peers/sallyport.conf").read_text())
        proxy.start(trained.values, folder, trained.proxy_cores)
        for scenario in bench.SCENARIOS:
            if scenario.name == "idle" or (scenario.h2 and not shutil.which("h2load")):
                continue
            bench.progress(f"recording {scenario.name}")
            subprocess.run(trained.load_command(scenario, proxy), check=True,
                           stdout=subprocess.DEVNULL)
        bench.progress("")
        end_in_order(proxy.process)
        proxy.process = None
    finally:
        proxy.stop()
        for origin in trained.origins:
            bench.stop(origin)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
