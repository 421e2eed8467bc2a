# syntax=docker/dockerfile:1
# Parley in a container: base packages only, no compiler, not root; data under /data.
#
#   docker build -t parley .                                      the default: talk in the terminal
#   docker build -t parley --build-arg EXTRAS=openai .            with the client for OpenAI-compatible servers
#   docker build -t parley --build-arg MODEL=smollm2-135m-instruct .   with the default model inside

FROM python:3.12-slim AS build
ARG EXTRAS=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv /opt/parley
# The packages change seldom, the source often: a layer each.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir bot adapters storage prompts \
    && touch bot/__init__.py \
    && /opt/parley/bin/pip install -c constraints.txt ".${EXTRAS:+[$EXTRAS]}" \
    && /opt/parley/bin/pip uninstall --yes parley
COPY bot bot
COPY adapters adapters
COPY storage storage
COPY prompts prompts
RUN /opt/parley/bin/pip install --no-deps .

FROM python:3.12-slim
# llama.cpp computes with OpenMP, whose library the slim image lacks.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin parley \
    && install --directory --mode=0700 --owner=parley --group=parley /data
COPY --from=build /opt/parley /opt/parley
ENV PATH="/opt/parley/bin:$PATH" \
    PARLEY_HOME=/data \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER parley
WORKDIR /data
ARG MODEL=""
RUN if [ -n "$MODEL" ]; then parley models add "$MODEL"; fi
VOLUME /data
# Configuration, model and database only: nothing is loaded or sent.
HEALTHCHECK --interval=2m --timeout=20s --start-period=1m CMD ["parley", "doctor", "--quick", "--json"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["parley"]
CMD ["chat"]
