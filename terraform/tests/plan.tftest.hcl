# The providers themselves plan it, which says more than a mock: what contradicts what, and what may not be changed. They
# ask nobody anything, since nothing exists yet and the one thing that is looked up is given here.

provider "google" {
  access_token = "none"
}

override_data {
  target = data.google_project.this
  values = { number = "123456789012" }
}

variables {
  project  = "acme-test"
  bundle   = "modules"
  services = { hello = { regions = ["us-east4", "europe-west1"] } }
}

run "minimal" {
  command = plan
  variables {
    policy_file = "examples/minimal/rollouts.yaml"
  }

  assert {
    condition     = length(module.orchestrator.function_names) == 7
    error_message = "expected every function but the console"
  }
}

run "everything" {
  command = plan
  variables {
    policy_file          = "examples/full/rollouts.yaml"
    alert_email          = "oncall@example.com"
    binary_authorization = true
    reads_analysis       = true
    traces               = true
    command_topics       = ["team-commands"]
    notification_secrets = { slack = "slipway-slack", pager = "slipway-pager" }
    attestors            = { built = { note_project = "acme-test", note = "built", project = "acme-test", attestor = "built" } }
    cluster              = {}
    services = {
      hello = {
        regions  = ["us-east4", "europe-west1", "asia-northeast1"]
        domain   = "hello.example.com"
        dns_zone = "example"
        gateway  = { namespace = "hello" }
      }
    }
    console = {
      domain  = "slipway.example.com"
      members = ["group:sre@example.com"]
    }
    image_builds = {
      repository = "projects/acme-test/locations/us-central1/connections/github/repositories/hello"
      image      = "hello"
      source     = "https://example.com/hello"
    }
  }

  assert {
    condition     = module.orchestrator.function_names["console"] == "slipway-console"
    error_message = "expected the console, by the name that its load balancer was made for"
  }
}

run "autopilot" {
  command = plan
  variables {
    policy_file = "examples/full/rollouts.yaml"
    cluster     = { name = "auto", autopilot = true, administrators = [{ name = "office", cidr = "192.0.2.0/24" }] }
  }

  assert {
    condition     = output.cluster == "projects/acme-test/locations/us-central1/clusters/auto"
    error_message = "expected the cluster's name as the policy file wants it"
  }
}
