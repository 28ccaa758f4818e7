## Lab and deploy

.PHONY: demo lab lab-down provision images
demo: venv ## Create the lab and deploy Jessy to two staging hosts
	@scripts/demo

lab: venv ## Create or repair the lab: real hosts on this machine
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/lab.yml

lab-down: venv ## Remove the lab and everything on it
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/lab_down.yml

provision: venv ## Prepare the hosts of LIMIT for a deploy: Docker Engine, registry login
	@$(BIN)/ansible-playbook playbooks/provision.yml -l $(LIMIT)

images: venv ## Build a stack's images and push them: VERSION=TAG [STACK=jessy]
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/images.yml -e stack=$(STACK) -e images_version=$(VERSION) \
	  -e maestro_stacks_dir=$(STACKS_DIR) $(if $(OVERWRITE),-e images_overwrite=$(OVERWRITE)) $(if $(REBUILD),-e images_rebuild=$(REBUILD))
