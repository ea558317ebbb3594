# Neither database nor storage is in it: see compose.yaml.
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}
WORKDIR /opt/sluice
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN useradd --system --home-dir /var/lib/sluice sluice && install -d -o sluice -g sluice -m 0700 /var/lib/sluice
USER sluice
ENV SLUICE_HOME=/var/lib/sluice PYTHONUNBUFFERED=1
CMD ["gunicorn", "--config", "gunicorn.conf.py", "--bind", "0.0.0.0:8000", "wsgi:app"]
