## Lab and deploy

.PHONY: demo lab lab-down provision images
demo: venv ## Create the lab and deploy Jessy to two staging hosts [STACKS="jessy mami"]
	@scripts/demo

lab: venv ## Create or repair the lab: real hosts on this machine
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/lab.yml

lab-down: venv ## Remove the lab and everything on it
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/lab_down.yml

provision: venv ## Prepare the hosts of LIMIT for a deploy: Docker Engine, registry login
	@$(BIN)/ansible-playbook playbooks/provision.yml -l $(LIMIT)

# A version in the registry is not overwritten: FORCE=1 does it all the same.
FORCE ?=
PUSH ?=
LATEST ?=
BUILD_HOST ?=
REGISTRY ?=
CACHE_FROM ?=
CACHE_TO ?=
PROFILES ?=
images: venv ## Build a stack's images and push them: VERSION=TAG [STACK=jessy] [PROFILES=NAME,..] [PUSH=no] [FORCE=1]
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/images.yml -e stack=$(STACK) -e images_version=$(VERSION) \
	  -e maestro_stacks_dir=$(STACKS_DIR) $(if $(OVERWRITE)$(FORCE),-e images_overwrite=yes) $(if $(REBUILD),-e images_rebuild=$(REBUILD)) \
	  $(if $(PUSH),-e images_push=$(PUSH)) $(if $(LATEST),-e images_latest=$(LATEST)) $(if $(BUILD_HOST),-e images_host=$(BUILD_HOST)) \
	  $(if $(REGISTRY),-e images_registry=$(REGISTRY)) $(if $(CACHE_FROM),-e images_cache_from=$(CACHE_FROM)) $(if $(CACHE_TO),-e images_cache_to=$(CACHE_TO)) \
	  $(if $(PROFILES),-e images_profiles=$(PROFILES))
