# The server alone, without data and without a release: mount these where it runs.
#   docker build --tag evergreen-serve .
#   docker run --read-only --tmpfs /tmp --publish 8000:8000 --env EVERGREEN_API_KEY \
#     --volume /srv/evergreen/releases:/srv/evergreen/releases:ro evergreen-serve

FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock requirements-serve.lock ./
# setuptools builds the package and stays out of the image.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock > requirements-build.lock \
    && pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && python -m venv /opt/evergreen \
    && /opt/evergreen/bin/pip install --no-cache-dir --require-hashes -r requirements-serve.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/evergreen/bin/pip install --no-cache-dir --no-deps dist/*.whl

FROM python:3.11-slim
# LightGBM's OpenMP
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home evergreen
COPY --from=build /opt/evergreen /opt/evergreen
ENV PATH=/opt/evergreen/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /srv/evergreen
USER evergreen
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["evergreen", "serve", "--host", "0.0.0.0"]
