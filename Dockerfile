# Untested: this image was built nowhere yet. Neither database nor storage is in it: see compose.yaml.
FROM python:3.11-slim
WORKDIR /opt/sluice
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN useradd --system --create-home --home-dir /var/lib/sluice sluice
USER sluice
ENV SLUICE_HOME=/var/lib/sluice PYTHONUNBUFFERED=1
CMD ["gunicorn", "--config", "gunicorn.conf.py", "--bind", "0.0.0.0:8000", "wsgi:app"]
