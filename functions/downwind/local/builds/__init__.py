"""Cloud Build on a laptop: its REST API, triggers on pushes, and builds that run the real cloudbuild.yaml.

server      the REST routes                       config, substitutions   cloudbuild.yaml → what to run
store       builds and triggers in sqlite         runner, steps           one build; one step as a local process
triggers    which trigger a push runs             docker                  the step image gcr.io/cloud-builders/docker
filters     the language of builds.list           dockerfile, context     what a Dockerfile says; which files it may copy
source      a commit into a workspace             image, upload           OCI image bytes; into a registry
"""

from downwind.local.builds.server import BuildsServer

__all__ = ["BuildsServer"]
