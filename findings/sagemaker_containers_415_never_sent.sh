#!/usr/bin/env bash
# sagemaker-containers 2.8.6.post2 (serves in SageMaker's XGBoost images): its Transformer means to answer by 415 or
# 406 when input_fn or output_fn raise its own UnsupportedFormatError. But it wraps the user's functions so that all they
# raise becomes a ClientError, which nobody catches: the client gets 500, a page of HTML, and not the message. Only the
# toolkit's default functions reach the two statuses. A transform_fn that returns a Response with a status works.
#
# Seen:
#   default input_fn, unknown type: 415 application/json
#   user's input_fn raises the toolkit's UnsupportedFormatError: 500 text/html, message lost
#   user's transform_fn returns 415: 415 text/plain, message kept
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
# Without its dependencies' pins, as the image has it: it asks for Flask 1.1.1, which no longer imports.
pip() { "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip Flask==3.1.3 Werkzeug==3.1.8 boto3 numpy scipy six retrying gevent gunicorn paramiko psutil inotify_simple==1.2.1 \
  protobuf==3.20.3 'setuptools<81'
pip --no-deps sagemaker-containers==2.8.6.post2
# As the image's Dockerfile does, for Python 3.10 and later.
sed -i 's/collections\.Mapping/collections.abc.Mapping/; s/^import collections$/import collections.abc/' \
  "$work"/venv/lib/python3*/site-packages/sagemaker_containers/_mapping.py
mkdir -p "$work/ml"
SAGEMAKER_BASE_DIR="$work/ml" "$work/venv/bin/python" - 2>/dev/null <<'PY' | tee "$work/seen"
from sagemaker_containers import _errors
from sagemaker_containers.beta.framework import transformer, worker


def refuse(body, content_type):
    raise _errors.UnsupportedFormatError(content_type)


def respond(model, body, content_type, accept):
    return worker.Response("no such type", status=415, mimetype="text/plain")


def ask(what, **functions):
    serving = transformer.Transformer(model_fn=lambda folder: None, **functions)
    serving.initialize()
    app = worker.Worker(transform_fn=serving.transform, module_name="answering")
    answer = app.test_client().post("/invocations", data=b"1", content_type="image/png")
    text = answer.get_data(as_text=True)
    kept = "" if what.startswith("default") else ", message " + ("kept" if "no such type" in text or "Content type" in text else "lost")
    print(f"{what}: {answer.status_code} {answer.mimetype}{kept}")


predict = {"predict_fn": lambda rows, model: rows}
ask("default input_fn, unknown type", **predict)
ask("user's input_fn raises the toolkit's UnsupportedFormatError", input_fn=refuse, **predict)
ask("user's transform_fn returns 415", transform_fn=respond)
PY
diff - "$work/seen" <<'SEEN'
default input_fn, unknown type: 415 application/json
user's input_fn raises the toolkit's UnsupportedFormatError: 500 text/html, message lost
user's transform_fn returns 415: 415 text/plain, message kept
SEEN
