# Packer: vets the golden image that was built, and fails the build if there is a finding.
# tests/ci_examples.rs runs every command that begins with `hostvet`.
packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0"
    }
  }
}

variable "base" {
  description = "A cloud image, as qcow2, that lets its builder in by SSH"
  type        = string
}

variable "base_checksum" {
  type = string
}

source "qemu" "golden" {
  iso_url          = var.base
  iso_checksum     = var.base_checksum
  disk_image       = true
  format           = "qcow2"
  output_directory = "build"
  vm_name          = "image.qcow2"
  ssh_username     = "root"
  shutdown_command = "systemctl poweroff"
}

build {
  sources = ["source.qemu.golden"]

  provisioner "shell" {
    inline = [
      "apt-get update && apt-get install --yes nginx",
      # What must not be the same on every machine that is made of it.
      "rm -f /etc/ssh/ssh_host_*_key* /var/lib/dbus/machine-id && truncate --size 0 /etc/machine-id",
    ]
  }

  # Whatever exits with anything but 0 fails the build.
  post-processor "shell-local" {
    inline = [
      "hostvet check build/image.qcow2 --profile image --fail-on-unknown --assume memory=4GiB,cpus=2,platform=kvm",
    ]
  }
}
