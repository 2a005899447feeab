# Who may do what.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      id     = "projects/acme-test/serviceAccounts/x@acme-test.iam.gserviceaccount.com"
      name   = "projects/acme-test/serviceAccounts/x@acme-test.iam.gserviceaccount.com"
      email  = "x@acme-test.iam.gserviceaccount.com"
      member = "serviceAccount:x@acme-test.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function.test" } }
  }
}

mock_provider "archive" {}

variables {
  project              = "acme-test"
  location             = "us-central1"
  name                 = "slipway"
  bundle               = "dist"
  policy_file          = "examples/minimal/rollouts.yaml"
  database             = "(default)"
  events_topic         = "projects/acme-test/topics/rollout-events"
  push_service_account = "slipway-push@acme-test.iam.gserviceaccount.com"
  repositories         = { apps = { location = "us-central1", repository = "apps" } }
}

run "nothing_but_the_services_given" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }
  variables {
    cloud_run_services = {
      "hello us-east4"     = { region = "us-east4", service = "hello", service_account = "projects/acme-test/serviceAccounts/run-hello@acme-test.iam.gserviceaccount.com" }
      "hello europe-west1" = { region = "europe-west1", service = "hello", service_account = "projects/acme-test/serviceAccounts/run-hello@acme-test.iam.gserviceaccount.com" }
    }
    backend_services = ["hello"]
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.target) == 4 && length(google_service_account_iam_member.acts_as) == 2
    error_message = "expected activity and sweep on each service, and to act as its one account"
  }

  assert {
    condition     = strcontains(google_project_iam_member.backend_services["activity"].condition[0].expression, "projects/acme-test/global/backendServices/hello")
    error_message = "expected the write to backend services to be bound to those given"
  }

  assert {
    condition     = !contains(keys(google_project_iam_custom_role.this), "clusters") && length(google_project_iam_custom_role.creates_services) == 0
    error_message = "expected no reach into clusters, and no creating of services, unless asked for"
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.push)) == toset(["imagePush", "command", "sloAlert", "deadLetter"])
    error_message = "expected Pub/Sub to call the functions that have a topic, and neither activity nor sweep"
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" && function.build_config[0].runtime == "nodejs24"])
    error_message = "expected private functions on nodejs24"
  }

  assert {
    condition     = google_cloudfunctions2_function.this["activity"].service_config[0].max_instance_request_concurrency > 1
    error_message = "expected the activities of a wave to share an instance"
  }

  assert {
    condition     = alltrue([for workflow in google_workflows_workflow.this : workflow.user_env_vars["ACTIVITY_URL"] == "https://function.test"])
    error_message = "expected the workflows to know where the activities are"
  }
}

run "clusters_when_asked_for" {
  command = apply
  module {
    source = "./modules/orchestrator"
  }
  variables {
    may_reach_clusters  = true
    may_create_services = true
    reads_analysis      = true
    attestors           = { built = { note_project = "acme-test", note = "built", project = "acme-test", attestor = "built" } }
  }

  assert {
    condition     = length([for key in keys(google_project_iam_member.project_wide) : key if startswith(key, "clusters ")]) == 2
    error_message = "expected activity and sweep to reach clusters"
  }

  assert {
    condition     = length(google_binary_authorization_attestor_iam_member.verifies) == 2 && length(google_container_analysis_note_iam_member.attestations) == 2
    error_message = "expected who verifies images to read attestations"
  }
}
