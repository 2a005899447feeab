locals {
  # Axion machines take Hyperdisk only, the older ones Persistent Disk only.
  arm_disk = startswith(var.arm_pool.machine_type, "t2a-") ? "pd-balanced" : "hyperdisk-balanced"
}

resource "google_compute_network" "this" {
  #checkov:skip=CKV2_GCP_18:A network lets nothing in unless a rule says so; GKE makes the rules that its nodes need.
  project                 = var.project
  name                    = "gke-${var.name}"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  project       = var.project
  region        = var.region
  name          = "gke-${var.name}"
  network       = google_compute_network.this.id
  ip_cidr_range = var.ranges.nodes
  # Nodes have no address of their own, and reach Artifact Registry by this.
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = var.ranges.pods
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = var.ranges.services
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_service_account" "nodes" {
  project      = var.project
  account_id   = "gke-${substr(var.name, 0, 20)}-nodes"
  display_name = "Nodes of GKE cluster ${var.name}"
}

resource "google_project_iam_member" "nodes" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes.member
}

# Pods pull with the credentials of their node: they need no imagePullSecrets.
resource "google_artifact_registry_repository_iam_member" "nodes" {
  for_each   = var.repositories
  project    = var.project
  location   = each.value.location
  repository = each.value.repository
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.nodes.member
}

resource "google_container_cluster" "this" {
  #checkov:skip=CKV_GCP_12:Dataplane V2 enforces network policies without the add-on.
  #checkov:skip=CKV_GCP_61:Dataplane V2 always has intranode visibility; flow logs are on the subnetwork.
  #checkov:skip=CKV_GCP_65:Wants a Google Workspace group, which not every team has.
  project             = var.project
  location            = var.region
  name                = var.name
  network             = google_compute_network.this.id
  subnetwork          = google_compute_subnetwork.this.id
  deletion_protection = var.deletion_protection
  resource_labels     = { managed-by = "slipway" }
  enable_autopilot    = var.autopilot ? true : null

  # The pools are resources of their own. A standard cluster cannot be made without one; this is the one it drops.
  remove_default_node_pool = var.autopilot ? null : true
  initial_node_count       = var.autopilot ? null : 1

  dynamic "node_config" {
    for_each = var.autopilot ? [] : [true]
    content {
      service_account = google_service_account.nodes.email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
      shielded_instance_config {
        enable_secure_boot          = true
        enable_integrity_monitoring = true
      }
      workload_metadata_config {
        mode = "GKE_METADATA"
      }
    }
  }

  dynamic "cluster_autoscaling" {
    for_each = var.autopilot ? [true] : []
    content {
      auto_provisioning_defaults {
        service_account = google_service_account.nodes.email
        oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
      }
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  release_channel {
    channel = var.release_channel
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      # Functions are outside the network; IAM and RBAC decide who gets in.
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = length(var.administrators) > 0
    }
  }

  dynamic "master_authorized_networks_config" {
    for_each = length(var.administrators) > 0 ? [true] : []
    content {
      dynamic "cidr_blocks" {
        for_each = var.administrators
        content {
          display_name = cidr_blocks.value.name
          cidr_block   = cidr_blocks.value.cidr
        }
      }
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []
    content {
      evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
    }
  }

  # Standard clusters have these off unless asked; Autopilot has them always.
  datapath_provider = var.autopilot ? null : "ADVANCED_DATAPATH"

  security_posture_config {
    mode               = "BASIC"
    vulnerability_mode = "VULNERABILITY_DISABLED"
  }

  lifecycle {
    # What the dropped pool was like; a change of it would replace the cluster.
    ignore_changes = [node_config, initial_node_count]
  }

  depends_on = [google_project_iam_member.nodes]
}

resource "google_container_node_pool" "default" {
  count    = var.autopilot ? 0 : 1
  project  = var.project
  location = var.region
  cluster  = google_container_cluster.this.name
  name     = "default"

  autoscaling {
    total_min_node_count = var.default_pool.min_nodes
    total_max_node_count = var.default_pool.max_nodes
    location_policy      = "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    max_surge       = 1
    max_unavailable = 0
  }

  node_config {
    machine_type    = var.default_pool.machine_type
    image_type      = "COS_CONTAINERD"
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}

resource "google_container_node_pool" "arm" {
  count          = var.autopilot ? 0 : 1
  project        = var.project
  location       = var.region
  cluster        = google_container_cluster.this.name
  name           = var.arm_pool.name
  node_locations = var.arm_pool.zones

  autoscaling {
    total_min_node_count = var.arm_pool.min_nodes
    total_max_node_count = var.arm_pool.max_nodes
    location_policy      = var.arm_pool.spot ? "ANY" : "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    max_surge       = 1
    max_unavailable = 0
  }

  node_config {
    machine_type    = var.arm_pool.machine_type
    disk_type       = local.arm_disk
    image_type      = "COS_CONTAINERD"
    spot            = var.arm_pool.spot
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    # What was built for x86 alone must never land here.
    taint_config {
      architecture_taint_behavior = "ARM"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}
