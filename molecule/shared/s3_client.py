"""Runs on a calling host: does with an S3 library (boto3, as Dify has it) what is on standard input."""

import io
import json
import sys
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PART = 5 * 2**20


def main() -> None:
    """Make the calls one after another; what came back is printed as JSON, in their order."""
    job = json.load(sys.stdin)
    client = boto3.client(
        "s3",
        endpoint_url=job["url"],
        region_name="us-east-1",
        aws_access_key_id=job["account"],
        aws_secret_access_key=job["secret"],
        verify=job["ca"],
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=10,
        ),
    )
    json.dump([one(client, name, given) for name, given in job["calls"]], sys.stdout, default=str)


def one(client: Any, name: str, given: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - boto3 has no types
    """Make one call; `upload` sends so many bytes in parts, several at a time."""
    try:
        if name == "upload":
            body = io.BytesIO(bytes(range(256)) * (given.pop("size") // 256))
            parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
            client.upload_fileobj(body, **given, Config=parts)
            return {}
        answer: dict[str, Any] = getattr(client, name)(**given)
    except ClientError as error:
        return {"failed": error.response["Error"]["Code"]}
    except BotoCoreError as error:
        return {"failed": type(error).__name__}
    if "Body" in answer:
        answer["Body"] = answer["Body"].read().decode()
    return answer


if __name__ == "__main__":
    main()
