"""Inputs in a store with S3's interface: the same reports as of files.

Usage: python tests/s3.py LENSFLOW. Needs moto[server] and boto3; the server runs on this machine.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import boto3
from moto.server import ThreadedMotoServer

CDNOW = pathlib.Path(__file__).parent.parent / "examples/data/cdnow_periods.csv"


def main(lensflow: str) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    store = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=store["AWS_ENDPOINT_URL"],
        region_name=store["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="shop")

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)

        def run(*arguments: str, code: int = 0) -> str:
            ran = subprocess.run([lensflow, *arguments], cwd=folder, env=os.environ | store, capture_output=True, text=True)
            assert ran.returncode == code, (arguments, ran.returncode, ran.stderr)
            return ran.stderr

        def report(*inputs: str) -> dict:
            run("audit", *inputs, "--every", "quarter", "--report", "report.json")
            found = json.loads((folder / "report.json").read_text())
            del found["input"]["sources"]
            return found

        head, *rows = CDNOW.read_text().splitlines(keepends=True)
        parts = {f"in/2026-{part:02}.csv": head + "".join(rows[part::3]) for part in range(3)}
        (folder / "in").mkdir()
        for path, text in parts.items():
            (folder / path).write_text(text)
        run("generate", "--customers", "50000", "-o", "made.parquet")
        for path in [*parts, "made.parquet"]:
            client.upload_file(str(folder / path), "shop", path)
        client.put_object(Bucket="shop", Key="in/_SUCCESS", Body=b"")
        client.put_object(Bucket="shop", Key="in/notes.md", Body=b"not an input")

        expected = report("in")
        assert expected["input"]["customers"] == 23570, expected["input"]
        for names in (["s3://shop/in/"], ["s3://shop/in"], ["s3://shop/in/2026-*.csv"], [f"s3://shop/{path}" for path in parts]):
            assert report(*names) == expected, names
        assert report("s3://shop/made.parquet") == report("made.parquet")

        assert "matches no object" in run("audit", "s3://shop/in/2027-*.csv", "--every", "quarter", code=1)
        assert "there is no such object" in run("audit", "s3://shop/none.csv", "--every", "quarter", code=1)
        assert "given twice" in run("audit", "s3://shop/in/", "s3://shop/in/2026-00.csv", "--every", "quarter", code=2)
        run("update", "state", "--every", "quarter", "s3://shop/in/")
        run("update", "state", "s3://shop/in/")
        run("audit", "state", "--every", "quarter", "--report", "state.json")
        assert json.loads((folder / "state.json").read_text())["input"]["customers"] == 23570
    server.stop()
    print("the same reports from the store as from files")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
