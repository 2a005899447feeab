# Everything at once, as examples/full has it.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_service_account" {
    defaults = {
      id     = "projects/acme-test/serviceAccounts/slipway-x@acme-test.iam.gserviceaccount.com"
      name   = "projects/acme-test/serviceAccounts/slipway-x@acme-test.iam.gserviceaccount.com"
      email  = "slipway-x@acme-test.iam.gserviceaccount.com"
      member = "serviceAccount:slipway-x@acme-test.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function.test" } }
  }
  mock_resource "google_compute_backend_service" {
    defaults = { generated_id = 4711 }
  }
}

mock_provider "archive" {}

variables {
  project              = "acme-test"
  policy_file          = "examples/full/rollouts.yaml"
  alert_email          = "oncall@example.com"
  binary_authorization = true
  reads_analysis       = true
  services = {
    hello = {
      regions  = ["us-east4", "europe-west1", "asia-northeast1"]
      domain   = "hello.example.com"
      dns_zone = "example"
      gateway  = { namespace = "hello" }
    }
  }
  cluster = {}
  console = {
    domain  = "slipway.example.com"
    members = ["group:sre@example.com"]
  }
  notification_secrets = { slack = "slipway-slack" }
  image_builds = {
    repository = "projects/acme-test/locations/us-central1/connections/github/repositories/hello"
    image      = "hello"
    source     = "https://example.com/hello"
  }
}

run "everything_is_there" {
  command = apply

  assert {
    condition     = output.cluster == "projects/acme-test/locations/us-central1/clusters/main"
    error_message = "expected the cluster's name as the policy file wants it"
  }

  assert {
    condition     = length(module.slo.slos) == 4 && length(module.slo.alert_policies) == 16
    error_message = "expected SLOs for both ways in"
  }

  assert {
    condition     = output.urls["hello"] == "https://hello.example.com" && output.console == "https://slipway.example.com"
    error_message = "expected HTTPS at the domains"
  }

  assert {
    condition     = module.console[0].identity == "iap:/projects/123456789012/global/backendServices/4711" && contains(keys(module.orchestrator.function_names), "console")
    error_message = "expected a console that believes its load balancer's proxy"
  }

  assert {
    condition     = google_cloudbuild_trigger.images[0].substitutions["_IMAGE"] == "us-central1-docker.pkg.dev/acme-test/apps/hello"
    error_message = "expected builds to push where the policy file looks"
  }

  assert {
    condition     = strcontains(output.next, "kubectl apply --server-side -k k8s/overlays/arm")
    error_message = "expected the commands for the cluster too"
  }
}
